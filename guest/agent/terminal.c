#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The container's own instance, so that the terminal has a name there. What lies at the path is the app's to change. */
static int open_master(void)
{
	struct stat facts;
	int fd = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &facts) == 0 && S_ISCHR(facts.st_mode) && facts.st_rdev == makedev(5, 2))
		return fd;
	close(fd);
	errno = ENOTTY;
	return -1;
}

void terminal_resize(int master, unsigned short columns, unsigned short rows)
{
	struct winsize size = {.ws_col = columns, .ws_row = rows};
	ioctl(master, TIOCSWINSZ, &size);
}

int terminal_open(unsigned short columns, unsigned short rows)
{
	int unlocked = 0, master = open_master();
	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) < 0)
		return -1;
	int terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal < 0 || ioctl(terminal, TIOCSCTTY, 0) < 0)
		return -1;
	terminal_resize(master, columns, rows);
	for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++)
		if (dup2(terminal, stream) < 0)
			return -1;
	return master;
}

bool descriptor_send(int socket, int fd)
{
	char word = 't';
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {&word, sizeof(word)};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	return sendmsg(socket, &message, MSG_NOSIGNAL) == sizeof(word);
}
