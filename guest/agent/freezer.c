#include "freezer.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app.h"
#include "file-text.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define FILE_BYTES 256
#define FREEZE_TIMEOUT_MS 2000

/*
 * The groups at the top of the tree that this froze: the app's own, and whatever an app with all capabilities made
 * beside it for containers of its own. One the app had frozen itself is not among them and stays as it is.
 */
static struct dirent **groups;
static int group_count;
static bool frozen;

static const char *group_file(const char *group, const char *file)
{
	static char path[512];
	snprintf(path, sizeof(path), CGROUP_ROOT "/%s/%s", group, file);
	return path;
}

static bool group_says(const char *group, const char *file, const char *wanted)
{
	char *text = file_read(group_file(group, file), FILE_BYTES);
	bool says = text != NULL && strstr(text, wanted) != NULL;
	free(text);
	return says;
}

static int is_thawed_group(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && entry->d_name[0] != '.' && group_says(entry->d_name, "cgroup.freeze", "0");
}

static bool freeze_groups(void)
{
	group_count = scandir(CGROUP_ROOT, &groups, is_thawed_group, NULL);
	bool all = group_count > 0;
	for (int i = 0; i < group_count; i++)
		all = file_write(group_file(groups[i]->d_name, "cgroup.freeze"), "1") && all;
	return all;
}

static bool groups_are_frozen(void)
{
	for (int i = 0; i < group_count; i++)
		if (!group_says(groups[i]->d_name, "cgroup.events", "frozen 1"))
			return false;
	return true;
}

bool freezer_freeze(void)
{
	if (app_status().state != APP_RUNNING)
		return false;
	bool asked = freeze_groups();
	/* A process is frozen at its next return to user space; one in the midst of disk work is late. */
	for (int waited = 0; asked && waited < FREEZE_TIMEOUT_MS && !(frozen = groups_are_frozen()); waited++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	if (!frozen)
		freezer_thaw();
	return frozen;
}

void freezer_thaw(void)
{
	for (int i = 0; i < group_count; i++) {
		file_write(group_file(groups[i]->d_name, "cgroup.freeze"), "0");
		free(groups[i]);
	}
	if (group_count >= 0)
		free(groups);
	groups = NULL;
	group_count = 0;
	frozen = false;
}

bool freezer_is_frozen(void)
{
	return frozen;
}
