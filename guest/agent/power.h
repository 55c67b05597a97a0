#ifndef CATNAP_POWER_H
#define CATNAP_POWER_H

/* Flushes disks and ends the VM. */
void power_off(void) __attribute__((noreturn));

#endif
