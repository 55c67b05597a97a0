/* An app that does what it is asked to do to its own microVM: GET /count, /fill, /fork, /eat, /flood, /agent, … on 8080. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1024 * 1024)
#define AGENT_PORT 1018
#define HOOKS "/aws/lambda-microvms/runtime/v1/"
#define REGION_MIB 256

/* Shared by all processes of the app. */
static struct {
	int count, resumes, is_deaf;
} *shared;
static char *region;
static char block[MIB];

static void answer(int fd, const char *text)
{
	dprintf(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", strlen(text), text);
}

/* Writes so many MiB to a file, on disk when it returns; what stopped it, or "done". */
static const char *write_file(const char *path, long mib, long *written)
{
	const char *end = "done";
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	for (*written = 0; *written < mib; ++*written) {
		getrandom(block, sizeof(block), 0);
		if (write(fd, block, sizeof(block)) != sizeof(block)) {
			end = errno == ENOSPC ? "ENOSPC" : strerror(errno);
			break;
		}
	}
	if (fsync(fd) < 0)
		end = errno == ENOSPC ? "ENOSPC" : strerror(errno);
	close(fd);
	return end;
}

static void write_answer(int fd, const char *path, long mib)
{
	char text[64];
	long written;
	const char *end = write_file(path, mib, &written);
	snprintf(text, sizeof(text), "%s %ld", end, written);
	answer(fd, text);
}

/* Takes all that is left of the disk, quickly: without writing it. */
static void take_disk(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	off_t at = 0;
	for (off_t piece = 1L << 30; piece >= MIB; piece /= 4)
		while (fallocate(fd, 0, at, piece) == 0)
			at += piece;
	close(fd);
}

static void dirty_memory(long mib)
{
	for (long at = 0; at < mib * MIB && at < REGION_MIB * (long)MIB; at += MIB)
		getrandom(region + at, MIB, 0);
}

/* A child that takes all memory; how the kernel ended it. */
static void eat(int fd)
{
	char text[64];
	int status;
	signal(SIGCHLD, SIG_DFL);
	pid_t child = fork();
	if (child == 0)
		for (;;) {
			char *more = malloc(16 * MIB);
			if (more != NULL)
				memset(more, 1, 16 * MIB);
		}
	waitpid(child, &status, 0);
	snprintf(text, sizeof(text), "signal %d", WTERMSIG(status));
	answer(fd, text);
}

static void flood(void)
{
	memset(block, 'x', 99);
	block[99] = '\n';
	for (;;)
		if (write(STDOUT_FILENO, block, 100) < 0)
			usleep(1000);
}

/* Ends the agent's listener, as only a container with all capabilities can. */
static int close_listener(void)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} message = {
	    .header = {sizeof(message), SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK, 0, 0},
	    .request = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0U},
	};
	message.request.id.idiag_sport = htons(AGENT_PORT);
	inet_pton(AF_INET, "172.16.0.2", message.request.id.idiag_src);
	message.request.id.idiag_if = if_nametoindex("eth0");
	message.request.id.idiag_cookie[0] = message.request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[512];
	} reply;
	int fd = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG);
	if (send(fd, &message, sizeof(message), 0) < 0 || recv(fd, &reply, sizeof(reply), 0) < 0)
		return -errno;
	close(fd);
	return reply.error.error;
}

/* What no agent says, another thing to each connection. */
static void misbehave(int fd, int turn)
{
	switch (turn % 3) {
	case 0:
		for (;;) {
			getrandom(block, sizeof(block), 0);
			if (write(fd, block, sizeof(block)) < 0)
				_exit(0);
		}
	case 1:
		memset(block, 'x', sizeof(block));
		while (write(fd, block, sizeof(block)) > 0)
			;
		break;
	case 2:
		dprintf(fd, "ok\nout 0 65536\nhalf of ");
		break;
	}
	pause();
}

static int listen_on(const char *address, int port)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
	inet_pton(AF_INET, address, &name.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 || listen(fd, 1024) < 0)
		return -errno;
	return fd;
}

static void take_over_agent(int client)
{
	char text[64];
	int closed = close_listener();
	int fd = closed == 0 ? listen_on("172.16.0.2", AGENT_PORT) : -1;
	snprintf(text, sizeof(text), "%d %d", closed, fd < 0 ? fd : 0);
	answer(client, text);
	close(client);
	for (int turn = 0; fd >= 0; turn++) {
		int connection = accept(fd, NULL, NULL);
		if (connection >= 0 && fork() == 0)
			misbehave(connection, turn);
		close(connection);
	}
}

static void hook(int fd, const char *name)
{
	if (strncmp(name, "suspend", 7) == 0 && shared->is_deaf)
		pause();
	if (strncmp(name, "resume", 6) == 0)
		__atomic_add_fetch(&shared->resumes, 1, __ATOMIC_SEQ_CST);
	answer(fd, "");
}

static void serve(int fd)
{
	char request[4096] = "", path[256] = "", text[64];
	long number = 0;
	if (read(fd, request, sizeof(request) - 1) <= 0)
		return;
	sscanf(request, "%*s %255[^? ]?%ld", path, &number);
	if (strncmp(path, HOOKS, strlen(HOOKS)) == 0)
		return hook(fd, path + strlen(HOOKS));
	if (strcmp(path, "/count") == 0) {
		snprintf(text, sizeof(text), "%d", __atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST));
		answer(fd, text);
	} else if (strcmp(path, "/resumes") == 0) {
		snprintf(text, sizeof(text), "%d", shared->resumes);
		answer(fd, text);
	} else if (strcmp(path, "/write") == 0)
		write_answer(fd, "/written", number);
	else if (strcmp(path, "/fill") == 0) {
		take_disk("/filler");
		write_answer(fd, "/written", 1L << 20);
	} else if (strcmp(path, "/dirty") == 0) {
		dirty_memory(number);
		answer(fd, "done");
	} else if (strcmp(path, "/eat") == 0)
		eat(fd);
	else if (strcmp(path, "/fork") == 0) {
		answer(fd, "done");
		close(fd);
		for (;;)
			fork();
	} else if (strcmp(path, "/flood") == 0) {
		answer(fd, "done");
		close(fd);
		flood();
	} else if (strcmp(path, "/deaf") == 0) {
		shared->is_deaf = 1;
		answer(fd, "done");
	} else if (strcmp(path, "/agent") == 0)
		take_over_agent(fd);
	else
		answer(fd, "what?");
}

int main(void)
{
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	region = mmap(NULL, REGION_MIB * (size_t)MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = listen_on("0.0.0.0", 8080);
	if (fd < 0)
		return 1;
	for (;;) {
		int connection = accept(fd, NULL, NULL);
		if (connection < 0)
			continue;
		pid_t child = fork();
		if (child == 0)
			close(fd);
		if (child <= 0)
			serve(connection); /* itself, when no process can be made */
		if (child == 0)
			_exit(0);
		close(connection);
	}
}
