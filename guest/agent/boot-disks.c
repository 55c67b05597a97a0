#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "boot.h"
#include "file-text.h"
#include "log.h"

#define MAX_DISKS 4

/* virtio-mmio devices may be found in any order, so a disk is known by its serial, or else by being read-only. */
static bool is_disk(char letter, const char *serial, bool read_only)
{
	char path[64];
	snprintf(path, sizeof(path), "/sys/block/vd%c/serial", letter);
	char *text = file_read(path, 64);
	if (text != NULL && text[0] != '\0') {
		bool matches = strcmp(text, serial) == 0;
		free(text);
		return matches;
	}
	free(text);
	snprintf(path, sizeof(path), "/sys/block/vd%c/ro", letter);
	text = file_read(path, 64);
	bool matches = text != NULL && (text[0] == '1') == read_only;
	free(text);
	return matches;
}

static void mount_disk(const char *serial, const char *target, unsigned long flags, const char *options)
{
	for (char letter = 'a'; letter < 'a' + MAX_DISKS; letter++) {
		if (!is_disk(letter, serial, (flags & MS_RDONLY) != 0))
			continue;
		char device[16];
		snprintf(device, sizeof(device), "/dev/vd%c", letter);
		mkdir(target, 0700);
		if (mount(device, target, "ext4", flags, options) < 0)
			die("mounting disk %s (%s)", serial, device);
		return;
	}
	errno = ENODEV;
	die("no disk with serial %s", serial);
}

void boot_disks(void)
{
	mount_disk("rootfs", "/rootfs", MS_RDONLY | MS_NOATIME, NULL);
	/*
	 * When the host loses power the VM's memory is lost with it, so write barriers would buy nothing; and lazily
	 * zeroed inode tables would only fatten a sparse disk. What the app deletes is given back to the host.
	 */
	mount_disk("upper", "/upper", MS_NOATIME, "barrier=0,noinit_itable,discard");
	mkdir("/upper/upper", 0755);
	mkdir("/upper/work", 0755);
	mkdir(APP_ROOT, 0755);
	if (mount("overlay", APP_ROOT, "overlay", MS_NOATIME, "lowerdir=/rootfs,upperdir=/upper/upper,workdir=/upper/work") < 0)
		die("mounting the overlay");
}
