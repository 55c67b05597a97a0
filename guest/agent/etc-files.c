#include "etc-files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "protocol.h"

static const struct {
	const char *name;
	const char *text;
} files[] = {
	{"resolv.conf", "nameserver " DNS_ADDRESS "\n"},
	{"hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"},
	{"hostname", "localhost\n"},
};

/* /etc may be a symbolic link in a hostile image: it must not lead out of the image's root. */
static int open_etc(int root)
{
	struct open_how how = {.flags = O_DIRECTORY | O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	return (int)syscall(SYS_openat2, root, "etc", &how, sizeof(how));
}

static void replace_file(int directory, const char *name, const char *text)
{
	if (unlinkat(directory, name, 0) < 0 && errno != ENOENT) {
		log_line("/etc/%s stays as the image has it: %s", name, strerror(errno));
		return;
	}
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		log_line("/etc/%s not written: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void append_file(int directory, const char *name, const char *text)
{
	int fd = openat(directory, name, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		log_line("/etc/%s not extended: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static int make_etc(const char *root)
{
	int root_fd = open(root, O_DIRECTORY | O_PATH | O_CLOEXEC);
	if (root_fd < 0)
		die("open %s", root);
	mkdirat(root_fd, "etc", 0755);
	int etc = open_etc(root_fd);
	if (etc < 0)
		log_line("/etc of the image is unusable: %s", strerror(errno));
	close(root_fd);
	return etc;
}

void etc_files_write(const char *root)
{
	int etc = make_etc(root);
	for (size_t i = 0; etc >= 0 && i < sizeof(files) / sizeof(files[0]); i++)
		replace_file(etc, files[i].name, files[i].text);
	if (etc >= 0)
		close(etc);
}

void etc_files_identify(const struct etc_identity *identity)
{
	int etc = make_etc("/");
	if (etc < 0)
		return;
	replace_file(etc, "machine-id", identity->machine_id);
	replace_file(etc, "hostname", identity->hostname);
	append_file(etc, "hosts", identity->hosts);
	close(etc);
}
