#include "cpu-time.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "file-text.h"

uint64_t cpu_busy_ms(void)
{
	unsigned long long user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0;
	char *text = file_read("/proc/stat", 512);
	if (text != NULL)
		sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &iowait, &irq, &softirq);
	free(text);
	return (user + nice + system + irq + softirq) * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK);
}
