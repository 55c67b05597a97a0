#include "container-mounts.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "boot.h"
#include "container-failure.h"

#define INERT (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static void mount_at(const char *type, const char *target, unsigned long flags, const char *options)
{
	if (mkdir(target, 0755) < 0 && errno != EEXIST)
		container_fail(125, "mkdir %s", target);
	if (mount(type, target, type, flags, options) < 0)
		container_fail(125, "mount %s", target);
}

static void make_node(const char *path, mode_t type, unsigned major_number, unsigned minor_number)
{
	if (mknod(path, type | 0666, makedev(major_number, minor_number)) < 0 || chmod(path, 0666) < 0)
		container_fail(125, "mknod %s", path);
}

static void make_devices(bool all)
{
	make_node("dev/null", S_IFCHR, 1, 3);
	make_node("dev/zero", S_IFCHR, 1, 5);
	make_node("dev/full", S_IFCHR, 1, 7);
	make_node("dev/random", S_IFCHR, 1, 8);
	make_node("dev/urandom", S_IFCHR, 1, 9);
	make_node("dev/tty", S_IFCHR, 5, 0);
	if (all)
		make_node("dev/fuse", S_IFCHR, 10, 229);
	static const char *const links[][2] = {
		{"pts/ptmx", "dev/ptmx"},	  {"/proc/self/fd", "dev/fd"},	    {"/proc/self/fd/0", "dev/stdin"},
		{"/proc/self/fd/1", "dev/stdout"}, {"/proc/self/fd/2", "dev/stderr"}, {"/proc/kcore", "dev/core"},
	};
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i][0], links[i][1]) < 0)
			container_fail(125, "symlink %s", links[i][1]);
}

static void make_dev(bool all)
{
	mount_at("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=64k");
	make_devices(all);
	mount_at("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
	mount_at("tmpfs", "dev/shm", INERT, "mode=1777,size=64m");
	mount_at("mqueue", "dev/mqueue", INERT, NULL);
}

/* A path the kernel does not have here needs no protection. */
static void make_read_only(const char *path)
{
	if (mount(path, path, NULL, MS_BIND, NULL) < 0) {
		if (errno == ENOENT)
			return;
		container_fail(125, "bind %s", path);
	}
	if (mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | INERT, NULL) < 0)
		container_fail(125, "read-only %s", path);
}

static void mask(const char *path)
{
	if (mount("dev/null", path, NULL, MS_BIND, NULL) == 0 || errno == ENOENT)
		return;
	if (errno != ENOTDIR || mount("tmpfs", path, "tmpfs", MS_RDONLY | INERT, "size=0k") < 0)
		container_fail(125, "mask %s", path);
}

/* The lists that container runtimes share. */
static void protect_kernel(void)
{
	static const char *const read_only[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
	static const char *const masked[] = {
		"proc/kcore",	   "proc/keys",		"proc/latency_stats",
		"proc/sched_debug", "proc/scsi",	"proc/timer_list",
		"proc/timer_stats", "sys/firmware",	"sys/devices/virtual/powercap",
	};
	for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++)
		make_read_only(read_only[i]);
	for (size_t i = 0; i < sizeof(masked) / sizeof(masked[0]); i++)
		mask(masked[i]);
}

static void move_into_root(void)
{
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		container_fail(125, "pivot_root");
}

void container_mount(bool all)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		container_fail(125, "private mounts");
	if (chdir(APP_ROOT) < 0)
		container_fail(125, "chdir");
	mount_at("proc", "proc", INERT, NULL);
	mount_at("sysfs", "sys", all ? INERT : INERT | MS_RDONLY, NULL);
	make_dev(all);
	if (all)
		mount_at("cgroup2", "sys/fs/cgroup", INERT, NULL);
	else
		protect_kernel();
	move_into_root();
}
