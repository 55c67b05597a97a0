#include "power.h"

#include <sys/reboot.h>
#include <unistd.h>

void power_off(void)
{
	sync();
	/* A restart ends the monitor (it runs with -no-reboot); microvm machines have no power button to press. */
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}
