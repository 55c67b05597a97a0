#include "wake.h"

#include <fcntl.h>
#include <linux/random.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "protocol.h"
#include "tcp-sockets.h"

static bool reseed(const uint8_t *entropy, size_t length)
{
	struct {
		struct rand_pool_info info;
		uint8_t bytes[MAX_ENTROPY_BYTES];
	} pool = {.info = {.entropy_count = (int)length * 8, .buf_size = (int)length}};
	memcpy(pool.bytes, entropy, length);
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	/* Adding fills the input pool only; without the reseed the clones' generators would go on alike for a while. */
	bool done = ioctl(fd, RNDADDENTROPY, &pool) == 0 && ioctl(fd, RNDRESEEDCRNG) == 0;
	close(fd);
	explicit_bzero(&pool, sizeof(pool));
	return done;
}

const char *wake_up(const struct timespec *wall_clock, const uint8_t *entropy, size_t entropy_length, uint16_t spared_port)
{
	if (clock_settime(CLOCK_REALTIME, wall_clock) < 0)
		return "setting the clock";
	if (!reseed(entropy, entropy_length))
		return "reseeding the random pool";
	if (!tcp_reset_outside(spared_port))
		return "resetting outside connections";
	return NULL;
}
