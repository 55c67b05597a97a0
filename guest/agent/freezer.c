#include "freezer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app.h"
#include "container.h"
#include "file-text.h"

#define EVENTS_BYTES 256
#define FREEZE_TIMEOUT_MS 2000

static bool frozen;

static bool says_frozen(void)
{
	char *events = file_read(APP_CGROUP "/cgroup.events", EVENTS_BYTES);
	bool is = events != NULL && strstr(events, "frozen 1") != NULL;
	free(events);
	return is;
}

bool freezer_freeze(void)
{
	if (app_status().state != APP_RUNNING || !file_write(APP_CGROUP "/cgroup.freeze", "1"))
		return false;
	/* A process is frozen at its next return to user space; one in the midst of disk work is late. */
	for (int waited = 0; waited < FREEZE_TIMEOUT_MS && !(frozen = says_frozen()); waited++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	if (!frozen)
		freezer_thaw();
	return frozen;
}

void freezer_thaw(void)
{
	file_write(APP_CGROUP "/cgroup.freeze", "0");
	frozen = false;
}

bool freezer_is_frozen(void)
{
	return frozen;
}
