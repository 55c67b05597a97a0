/*
 * Prints the frequency of this host's time stamp counter in kHz, for the guest kernel's `tsc_early_khz=`.
 *
 * Under emulation the guest's counter is the host's. Left to itself the guest kernel calibrates it against the emulated
 * PIT, which a busy host makes too jittery: the kernel then finds no clock at all and hangs in every fourth boot.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define SAMPLE_NS 50000000LL
#define SAMPLES 5
#define READINGS 20

struct reading {
	int64_t ns;
	uint64_t ticks;
};

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The clock and the counter read closest together: being scheduled away between the two would spoil the result. */
static struct reading read_both(void)
{
	struct reading best = {0, 0};
	uint64_t narrowest = UINT64_MAX;
	for (int i = 0; i < READINGS; i++) {
		uint64_t before = __rdtsc();
		int64_t ns = now_ns();
		uint64_t width = __rdtsc() - before;
		if (width < narrowest) {
			narrowest = width;
			best = (struct reading){ns, before + width / 2};
		}
	}
	return best;
}

static uint64_t measure_khz(void)
{
	struct reading from = read_both();
	clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = SAMPLE_NS}, NULL);
	struct reading to = read_both();
	uint64_t ns = (uint64_t)(to.ns - from.ns);
	return ((to.ticks - from.ticks) * 1000000 + ns / 2) / ns;
}

/* The middle one of several measurements. */
int main(void)
{
	uint64_t sorted[SAMPLES];
	for (int i = 0; i < SAMPLES; i++) {
		uint64_t khz = measure_khz();
		int place = i;
		for (; place > 0 && sorted[place - 1] > khz; place--)
			sorted[place] = sorted[place - 1];
		sorted[place] = khz;
	}
	printf("%llu\n", (unsigned long long)sorted[SAMPLES / 2]);
	return 0;
}
