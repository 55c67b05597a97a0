#include "tcp-sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol.h"

#define STATE_BIT(state) (1u << (state))
#define ALL_STATES 0xffffffffu

struct diag_request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

typedef void (*socket_visitor)(const struct inet_diag_msg *socket, void *context);

static int open_diag(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	/* The kernel answers within the call; the time-out only guards against a reply that never comes. */
	struct timeval patience = {.tv_sec = 5};
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static struct diag_request diag_request(uint16_t type, uint16_t flags, uint8_t family)
{
	return (struct diag_request){
		.header = {.nlmsg_len = sizeof(struct diag_request),
			   .nlmsg_type = type,
			   .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)},
		.body = {.sdiag_family = family, .sdiag_protocol = IPPROTO_TCP},
	};
}

/* Visits the messages of one datagram; 1 when more follow, 0 at the end of the dump, -1 with errno. */
static int visit_batch(void *buffer, size_t length, socket_visitor visitor, void *context)
{
	for (struct nlmsghdr *at = buffer; NLMSG_OK(at, length); at = NLMSG_NEXT(at, length)) {
		if (at->nlmsg_type == NLMSG_DONE)
			return 0;
		if (at->nlmsg_type == NLMSG_ERROR) {
			errno = -((struct nlmsgerr *)NLMSG_DATA(at))->error;
			return -1;
		}
		visitor(NLMSG_DATA(at), context);
	}
	return 1;
}

static bool dump_family(int fd, uint8_t family, uint32_t states, socket_visitor visitor, void *context)
{
	_Alignas(struct nlmsghdr) static char buffer[32 * 1024];
	struct diag_request request = diag_request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, family);
	request.body.idiag_states = states;
	if (send(fd, &request, sizeof(request), 0) < 0)
		return false;
	for (;;) {
		ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
		if (got < 0)
			return false;
		int more = visit_batch(buffer, (size_t)got, visitor, context);
		if (more <= 0)
			return more == 0;
	}
}

static bool dump(uint32_t states, socket_visitor visitor, void *context)
{
	int fd = open_diag();
	if (fd < 0)
		return false;
	bool complete = dump_family(fd, AF_INET, states, visitor, context) && dump_family(fd, AF_INET6, states, visitor, context);
	int saved = errno;
	close(fd);
	errno = saved;
	return complete;
}

/* The IPv4 address in host order if the socket speaks IPv4, also through a mapped IPv6 address. */
static bool ipv4_of(uint8_t family, const uint32_t words[4], uint32_t *address)
{
	if (family == AF_INET) {
		*address = ntohl(words[0]);
		return true;
	}
	*address = ntohl(words[3]);
	return words[0] == 0 && words[1] == 0 && words[2] == htonl(0xffff);
}

static bool is_loopback(uint8_t family, const uint32_t words[4])
{
	uint32_t address;
	if (ipv4_of(family, words, &address))
		return address >> 24 == 127;
	return words[0] == 0 && words[1] == 0 && words[2] == 0 && words[3] == htonl(1);
}

static bool is_any(const uint32_t words[4])
{
	return words[0] == 0 && words[1] == 0 && words[2] == 0 && words[3] == 0;
}

static bool is_inside(uint8_t family, const uint32_t words[4])
{
	uint32_t address;
	if (is_loopback(family, words))
		return true;
	return ipv4_of(family, words, &address) && address == ntohl(inet_addr(GUEST_ADDRESS));
}

#define MAX_VICTIMS 4096

struct victims {
	uint16_t spared_port;
	size_t count;
	struct {
		uint8_t family;
		struct inet_diag_sockid id;
	} sockets[MAX_VICTIMS];
};

static void collect_victim(const struct inet_diag_msg *socket, void *context)
{
	struct victims *victims = context;
	const struct inet_diag_sockid *id = &socket->id;
	bool is_spared = id->idiag_sport == htons(AGENT_PORT) && id->idiag_dport == htons(victims->spared_port) &&
			 socket->idiag_family == AF_INET;
	if (is_spared || is_inside(socket->idiag_family, id->idiag_dst) || victims->count == MAX_VICTIMS)
		return;
	victims->sockets[victims->count].family = socket->idiag_family;
	victims->sockets[victims->count++].id = *id;
}

static bool destroy(int fd, uint8_t family, const struct inet_diag_sockid *id)
{
	struct diag_request request = diag_request(SOCK_DESTROY, NLM_F_ACK, family);
	request.body.idiag_states = ALL_STATES;
	request.body.id = *id;
	struct {
		struct nlmsghdr header;
		struct nlmsgerr body;
		char echoed[sizeof(struct diag_request)];
	} reply;
	if (send(fd, &request, sizeof(request), 0) < 0 || recv(fd, &reply, sizeof(reply), 0) < 0)
		return false;
	errno = -reply.body.error;
	/* It may have ended by itself since the dump. */
	return reply.body.error == 0 || reply.body.error == -ENOENT;
}

bool tcp_reset_outside(uint16_t spared_port)
{
	static struct victims victims;
	bool all_reset = true;
	int fd = open_diag();
	if (fd < 0)
		return false;
	do {
		victims.spared_port = spared_port;
		victims.count = 0;
		if (!dump(ALL_STATES & ~STATE_BIT(TCP_LISTEN), collect_victim, &victims))
			all_reset = false;
		for (size_t i = 0; all_reset && i < victims.count; i++)
			all_reset = destroy(fd, victims.sockets[i].family, &victims.sockets[i].id);
	} while (all_reset && victims.count == MAX_VICTIMS);
	int saved = errno;
	close(fd);
	errno = saved;
	return all_reset;
}

struct listening {
	const uint16_t *ports;
	size_t count;
	bool found[MAX_LISTENING_PORTS];
};

static void note_listener(const struct inet_diag_msg *socket, void *context)
{
	struct listening *listening = context;
	if (!is_any(socket->id.idiag_src) && !is_loopback(socket->idiag_family, socket->id.idiag_src))
		return;
	for (size_t i = 0; i < listening->count; i++)
		if (htons(listening->ports[i]) == socket->id.idiag_sport)
			listening->found[i] = true;
}

size_t tcp_keep_listening(uint16_t *ports, size_t count)
{
	struct listening listening = {.ports = ports, .count = count};
	dump(STATE_BIT(TCP_LISTEN), note_listener, &listening);
	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		if (listening.found[i])
			ports[kept++] = ports[i];
	return kept;
}
