#ifndef CATNAP_CPU_TIME_H
#define CATNAP_CPU_TIME_H

#include <stdint.h>

/* Time all CPUs of the VM spent not idle since boot, in milliseconds, at the kernel's resolution of 10 ms. */
uint64_t cpu_busy_ms(void);

#endif
