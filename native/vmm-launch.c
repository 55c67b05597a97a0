/*
 * Starts a virtual machine monitor where it can do little harm:
 * vmm-launch NETNS [CGROUP-PROCS...] [--copy FILE DESCRIPTOR] [--prefetch FILE RANGES] -- PROGRAM ARGS...
 *
 * Enters the network namespace, joins the control groups, leaves the host's System V and POSIX queues and host name
 * behind, gives up core files and any later gain of privileges, and becomes the program, whose threads cut nobody off when
 * they wake. The user changes later, by the monitor itself: it opens its files and its tap device first. Before, FILE, a
 * disk with holes, is copied into an open, empty DESCRIPTOR; meanwhile the kernel is asked for what RANGES lists of FILE,
 * "offset length" a line: the memory that the guest is going to touch.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Descriptors: disks, tap, sockets and eventfds of one machine are far fewer. */
enum { MAX_FILES = 256, MAX_RANGES = 4096, BLOCK = 65536 };

static void die(const char *what, const char *name)
{
	fprintf(stderr, "vmm-launch: %s %s: %s\n", what, name, strerror(errno));
	exit(126);
}

static void enter_network(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		die("cannot enter the network namespace", path);
	close(fd);
}

static void join(const char *procs)
{
	int fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		die("cannot join the control group", procs);
	close(fd);
}

static void limit(__rlimit_resource_t resource, rlim_t most)
{
	struct rlimit bound = { .rlim_cur = most, .rlim_max = most };
	if (setrlimit(resource, &bound) < 0)
		die("cannot limit", "resources");
}

/* A process of its own, so that the monitor does not wait; nobody's child, so that nobody has to reap it. */
static void prefetch(const char *path, const char *ranges)
{
	long long offset, length;
	FILE *list = fopen(ranges, "re");
	int file = list == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	pid_t child = file < 0 ? -1 : fork();
	if (child == 0 && fork() == 0) {
		for (int count = 0; count < MAX_RANGES && fscanf(list, "%lld %lld", &offset, &length) == 2; count++)
			posix_fadvise(file, offset, length, POSIX_FADV_WILLNEED);
	}
	if (child == 0)
		_exit(0);
	if (child > 0)
		waitpid(child, NULL, 0);
	if (file >= 0)
		close(file);
	if (list != NULL)
		fclose(list);
}

static void copy_range(int from, int to, off_t at, off_t end, const char *name)
{
	static char block[BLOCK];
	while (at < end) {
		size_t wanted = end - at < BLOCK ? (size_t)(end - at) : BLOCK;
		ssize_t got = pread(from, block, wanted, at);
		if (got == 0)
			errno = EIO;
		if (got <= 0 || pwrite(to, block, (size_t)got, at) != got)
			die("cannot copy", name);
		at += got;
	}
}

/* Where the file system can share blocks nothing is copied at all. */
static void copy_disk(const char *name, int to)
{
	struct stat status;
	int from = open(name, O_RDONLY | O_CLOEXEC);
	if (from < 0 || fstat(from, &status) < 0)
		die("cannot read", name);
	if (ioctl(to, FICLONE, from) < 0) {
		if (ftruncate(to, status.st_size) < 0)
			die("cannot make room for", name);
		for (off_t end = 0, data; (data = lseek(from, end, SEEK_DATA)) >= 0;) {
			end = lseek(from, data, SEEK_HOLE);
			copy_range(from, to, data, end, name);
		}
		if (errno != ENXIO)
			die("cannot read", name);
	}
	close(from);
}

/*
 * Threads that wake wait until the one that runs has had its slice. Hundreds of idle guests wake a dozen times a second
 * each; when each wake cuts another guest off, all of them run with cold caches, take twice the time and never catch up.
 */
static void take_turns(void)
{
	const struct sched_param none = {0};
	if (sched_setscheduler(0, SCHED_BATCH, &none) < 0)
		die("cannot set", "the scheduling policy");
}

int main(int argc, char **argv)
{
	int at = 2;
	if (argc < 4)
		die("usage:", "vmm-launch NETNS [CGROUP-PROCS...] [--copy FILE DESCRIPTOR] [--prefetch FILE RANGES] -- PROGRAM ARGS...");
	enter_network(argv[1]);
	for (; at < argc && strncmp(argv[at], "--", 2) != 0; at++)
		join(argv[at]);
	if (at + 3 < argc && strcmp(argv[at], "--copy") == 0) {
		copy_disk(argv[at + 1], atoi(argv[at + 2]));
		at += 3;
	}
	if (at + 3 < argc && strcmp(argv[at], "--prefetch") == 0) {
		prefetch(argv[at + 1], argv[at + 2]);
		at += 3;
	}
	if (at + 1 >= argc || strcmp(argv[at], "--") != 0)
		die("usage:", "no program after --");
	if (unshare(CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		die("cannot leave", "the host's IPC and UTS namespaces");
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, MAX_FILES);
	take_turns();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die("cannot give up", "privileges to come");
	execvp(argv[at + 1], argv + at + 1);
	die("cannot run", argv[at + 1]);
}
