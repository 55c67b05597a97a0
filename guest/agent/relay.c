#include "relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"
#include "protocol.h"
#include "reply.h"

/* One buffer for all: what does not go out at once is copied to the slow end. */
#define BUFFER_BYTES (256 * 1024)
/* SYNs to a full accept queue are dropped; two repeats take about seven seconds. */
#define CONNECT_SYN_RETRIES 2

struct relay;

struct relay_end {
	struct watch watch;
	struct relay *relay;
	struct relay_end *other;
	/* Bytes that wait until this end takes them; the other end is not read meanwhile. */
	char *pending;
	size_t pending_at;
	size_t pending_length;
	bool read_ended;
	bool write_ended;
};

struct relay {
	struct relay_end host;
	struct relay_end app;
	uint16_t port;
	bool tried_ipv6;
};

static size_t relay_count;

static void free_pending(struct relay_end *end)
{
	free(end->pending);
	end->pending = NULL;
	end->pending_at = end->pending_length = 0;
}

static void relay_close(struct relay *relay)
{
	watch_close(&relay->host.watch);
	watch_close(&relay->app.watch);
	free_pending(&relay->host);
	free_pending(&relay->app);
	loop_free_later(relay);
	relay_count--;
}

/* A stream cut short must not look like one that ended. */
static void relay_abort(struct relay *relay)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	setsockopt(relay->host.watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	setsockopt(relay->app.watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	relay_close(relay);
}

static void update_interest(struct relay_end *end)
{
	uint32_t interest = 0;
	if (!end->read_ended && end->other->pending_length == 0)
		interest |= EPOLLIN;
	if (end->pending_length > 0)
		interest |= EPOLLOUT;
	/* After both directions were shut the hang-up event would repeat for as long as the other end is slow. */
	if (interest == 0 && end->write_ended)
		watch_pause(&end->watch);
	else
		watch_set(&end->watch, interest);
}

static void end_writing(struct relay_end *end)
{
	end->write_ended = true;
	shutdown(end->watch.fd, SHUT_WR);
}

static bool keep_pending(struct relay_end *end, const char *bytes, size_t length)
{
	end->pending = malloc(length);
	if (end->pending == NULL)
		return false;
	memcpy(end->pending, bytes, length);
	end->pending_at = 0;
	end->pending_length = length;
	return true;
}

/* Sends as much as the end takes now; -1 when it is broken. */
static ssize_t send_some(struct relay_end *end, const char *bytes, size_t length)
{
	ssize_t sent = send(end->watch.fd, bytes, length, MSG_NOSIGNAL);
	return sent < 0 && errno == EAGAIN ? 0 : sent;
}

static bool flush_pending(struct relay_end *end)
{
	ssize_t sent = send_some(end, end->pending + end->pending_at, end->pending_length);
	if (sent < 0)
		return false;
	end->pending_at += (size_t)sent;
	end->pending_length -= (size_t)sent;
	if (end->pending_length == 0)
		free_pending(end);
	return true;
}

static bool carry(struct relay_end *from, struct relay_end *to)
{
	static char buffer[BUFFER_BYTES];
	ssize_t got = recv(from->watch.fd, buffer, sizeof(buffer), 0);
	if (got < 0)
		return errno == EAGAIN;
	if (got == 0) {
		from->read_ended = true;
		end_writing(to);
		return true;
	}
	ssize_t sent = send_some(to, buffer, (size_t)got);
	if (sent < 0)
		return false;
	return sent == got || keep_pending(to, buffer + sent, (size_t)(got - sent));
}

static void on_traffic(struct watch *watch, uint32_t events)
{
	struct relay_end *end = (struct relay_end *)watch;
	struct relay *relay = end->relay;
	bool sound = true;
	if (end->pending_length > 0 && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0)
		sound = flush_pending(end);
	if (sound && !end->read_ended && end->other->pending_length == 0)
		sound = carry(end, end->other);
	else if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		sound = false; /* reset while it was not being read */
	if (!sound) {
		relay_abort(relay);
	} else if (relay->host.write_ended && relay->app.write_ended) {
		relay_close(relay);
	} else {
		update_interest(end);
		update_interest(end->other);
	}
}

static void on_app_connected(struct watch *watch, uint32_t events);

static int start_connect(uint16_t port, bool ipv6)
{
	int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	int retries = CONNECT_SYN_RETRIES;
	setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &retries, sizeof(retries));
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int done = ipv6 ? connect(fd, (struct sockaddr *)&v6, sizeof(v6)) : connect(fd, (struct sockaddr *)&v4, sizeof(v4));
	if (done == 0 || errno == EINPROGRESS)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static void connect_failed(struct relay *relay, int error);

static void connect_app(struct relay *relay, bool ipv6)
{
	relay->tried_ipv6 = ipv6;
	relay->app.watch.fd = start_connect(relay->port, ipv6);
	if (relay->app.watch.fd < 0) {
		connect_failed(relay, errno);
		return;
	}
	relay->app.watch.handler = on_app_connected;
	watch_set(&relay->app.watch, EPOLLOUT);
}

static void connect_failed(struct relay *relay, int error)
{
	watch_close(&relay->app.watch);
	if (error == ECONNREFUSED && !relay->tried_ipv6) {
		connect_app(relay, true);
		return;
	}
	if (error == ECONNREFUSED || error == EADDRNOTAVAIL)
		reply_line(relay->host.watch.fd, "refused");
	else
		reply_line(relay->host.watch.fd, "error connect: %s", strerror(error));
	relay_close(relay);
}

static void on_app_connected(struct watch *watch, uint32_t events)
{
	struct relay *relay = ((struct relay_end *)watch)->relay;
	int error = 0, on = 1;
	socklen_t length = sizeof(error);
	(void)events;
	getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (error != 0) {
		connect_failed(relay, error);
		return;
	}
	if (!reply_line(relay->host.watch.fd, "ok")) {
		relay_abort(relay);
		return;
	}
	setsockopt(watch->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	relay->app.watch.handler = on_traffic;
	relay->host.watch.handler = on_traffic;
	update_interest(&relay->host);
	update_interest(&relay->app);
}

/* Only errors are watched for before the app's end is connected. */
static void on_host_lost(struct watch *watch, uint32_t events)
{
	(void)events;
	relay_abort(((struct relay_end *)watch)->relay);
}

void relay_open(int host_fd, uint16_t port, const char *early, size_t early_length)
{
	struct relay *relay = relay_count < MAX_RELAYS ? calloc(1, sizeof(*relay)) : NULL;
	if (relay == NULL) {
		reply_line(host_fd, "error too many connections");
		close(host_fd);
		return;
	}
	relay_count++;
	relay->port = port;
	relay->host = (struct relay_end){.watch = {.fd = host_fd, .handler = on_host_lost}, .relay = relay, .other = &relay->app};
	relay->app = (struct relay_end){.watch = {.fd = -1}, .relay = relay, .other = &relay->host};
	if (early_length > 0 && !keep_pending(&relay->app, early, early_length)) {
		relay_abort(relay);
		return;
	}
	watch_set(&relay->host.watch, 0);
	connect_app(relay, false);
}
