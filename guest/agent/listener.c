#include "listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "log.h"
#include "loop.h"
#include "protocol.h"

#define BACKLOG 1024
/* Seconds a connection may take to say its first word before the kernel shows it anyway. */
#define FIRST_WORD_SECONDS 5

static struct watch listener;

static void accept_one(int fd, const struct sockaddr_in *peer)
{
	int on = 1;
	/* Processes of the app share this network namespace; their connections come from the guest's own address. */
	if (peer->sin_addr.s_addr != inet_addr(GATEWAY_ADDRESS)) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	control_open(fd, ntohs(peer->sin_port));
}

static void on_connections(struct watch *watch, uint32_t events)
{
	(void)events;
	for (;;) {
		struct sockaddr_in peer;
		socklen_t length = sizeof(peer);
		int fd = accept4(watch->fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		accept_one(fd, &peer);
	}
}

void listener_open(void)
{
	int on = 1, patience = FIRST_WORD_SECONDS;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(AGENT_PORT)};
	inet_pton(AF_INET, GUEST_ADDRESS, &address.sin_addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* The host speaks first: one wake-up then covers the accept and the first line. */
	setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &patience, sizeof(patience));
	/* A second fence beside the peer's address: local connections travel over lo. */
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "eth0", strlen("eth0")) < 0)
		die("binding to eth0");
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
		die("listening on port %d", AGENT_PORT);
	listener = (struct watch){.fd = fd, .handler = on_connections};
	watch_set(&listener, EPOLLIN);
}
