#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "boot.h"
#include "log.h"
#include "protocol.h"

static void set_address(struct sockaddr *to, const char *text)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	inet_pton(AF_INET, text, &address.sin_addr);
	memcpy(to, &address, sizeof(address));
}

static struct ifreq interface(const char *name)
{
	struct ifreq request = {0};
	memcpy(request.ifr_name, name, strlen(name));
	return request;
}

static void bring_up(int fd, const char *name)
{
	struct ifreq request = interface(name);
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		die("bringing up %s", name);
}

static void set_interface_address(int fd, unsigned long operation, const char *text)
{
	struct ifreq request = interface("eth0");
	set_address(&request.ifr_addr, text);
	if (ioctl(fd, operation, &request) < 0)
		die("eth0 address %s", text);
}

static void add_default_route(int fd)
{
	struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
	set_address(&route.rt_dst, "0.0.0.0");
	set_address(&route.rt_genmask, "0.0.0.0");
	set_address(&route.rt_gateway, GATEWAY_ADDRESS);
	if (ioctl(fd, SIOCADDRT, &route) < 0)
		die("default route");
}

/* A fixed entry: a restored clone finds its gateway without asking. */
static void pin_gateway(int fd)
{
	struct arpreq entry = {.arp_flags = ATF_COM | ATF_PERM, .arp_ha.sa_family = ARPHRD_ETHER, .arp_dev = "eth0"};
	const unsigned char mac[6] = GATEWAY_MAC;
	set_address(&entry.arp_pa, GATEWAY_ADDRESS);
	memcpy(entry.arp_ha.sa_data, mac, sizeof(mac));
	if (ioctl(fd, SIOCSARP, &entry) < 0)
		die("gateway ARP entry");
}

void boot_network(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	bring_up(fd, "lo");
	set_interface_address(fd, SIOCSIFADDR, GUEST_ADDRESS);
	set_interface_address(fd, SIOCSIFNETMASK, GUEST_NETMASK);
	bring_up(fd, "eth0");
	pin_gateway(fd);
	add_default_route(fd);
	close(fd);
}
