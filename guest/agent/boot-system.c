#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot.h"
#include "file-text.h"
#include "log.h"
#include "modules.h"

static void mount_or_die(const char *type, const char *target, unsigned long flags, const char *options)
{
	if (mkdir(target, 0755) < 0 && errno != EEXIST)
		die("mkdir %s", target);
	if (mount(type, target, type, flags, options) < 0)
		die("mount %s", target);
}

static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);
	if (fd < 0)
		return;
	for (int target = STDIN_FILENO; target <= STDERR_FILENO; target++)
		dup2(fd, target);
	if (fd > STDERR_FILENO)
		close(fd);
}

static void take_along(const char *from, const char *to)
{
	mkdir(to, 0755);
	if (mount(from, to, NULL, MS_BIND, NULL) < 0)
		die("bind %s", from);
}

static void make_read_only(const char *path)
{
	if (mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
		die("read-only %s", path);
}

/*
 * pivot_root refuses to leave the initramfs, which is what the app's namespace must do later; so the agent lives on a
 * tmpfs laid over it. Modules that only some apps need move along, and so do the tools: read-only, since a program of
 * the container that runs a tool can reach the tool's file.
 */
static void leave_initramfs(void)
{
	mount_or_die("tmpfs", "/root", 0, "mode=755,size=1m");
	take_along("/modules", "/root/modules");
	take_along(TOOLS, "/root" TOOLS);
	make_read_only("/root" TOOLS);
	if (chdir("/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		die("leaving the initramfs");
}

/*
 * What a kernel does on its own every now and then wakes a guest whose app waits, which costs a processor under emulation
 * and copies pages: tidying for huge pages that nobody asked for, folding counters.
 */
static void keep_quiet_when_idle(void)
{
	file_write("/proc/sys/vm/compaction_proactiveness", "0");
	file_write("/proc/sys/vm/stat_interval", "60");
	file_write("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
}

static void set_kernel_options(void)
{
	/* As container runtimes do: the app may bind low ports and ping without privileges. */
	file_write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
	file_write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
	/*
	 * With cookies a burst beyond the app's accept queue is answered and then reset; without, it waits. Nobody floods
	 * a loopback listener.
	 */
	file_write("/proc/sys/net/ipv4/tcp_syncookies", "0");
	/* Nothing on the far side speaks IPv6; loopback keeps ::1. */
	file_write("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1");
}

void boot_system(void)
{
	mount_or_die("devtmpfs", "/dev", MS_NOSUID, NULL);
	open_console();
	umask(022);
	modules_load("/modules/boot");
	leave_initramfs();
	mount_or_die("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_or_die("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_or_die("devtmpfs", "/dev", MS_NOSUID, NULL);
	mount_or_die("cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	/* The app's processes share what processor time their group gets, however many they are: the agent keeps its own. */
	file_write("/sys/fs/cgroup/cgroup.subtree_control", "+cpu");
	set_kernel_options();
	keep_quiet_when_idle();
	/* Every relay takes two descriptors. */
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){8192, 8192});
}
