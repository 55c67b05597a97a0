#include "capabilities.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What container runtimes leave to root: no SYS_ADMIN, NET_ADMIN, SYS_PTRACE and their like. */
#define CONTAINER_DEFAULT UINT64_C(0xa80425fb)

static uint64_t all_known(void)
{
	uint64_t mask = 0;
	for (unsigned number = 0; number < 64 && prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; number++)
		mask |= UINT64_C(1) << number;
	return mask;
}

bool capabilities_limit_bounding(bool all)
{
	uint64_t known = all_known();
	for (unsigned number = 0; !all && number < 64; number++) {
		uint64_t bit = UINT64_C(1) << number;
		if ((known & bit) != 0 && (CONTAINER_DEFAULT & bit) == 0 && prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0)
			return false;
	}
	return true;
}

bool capabilities_limit_own(bool all)
{
	uint64_t mask = all ? all_known() : CONTAINER_DEFAULT;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = (uint32_t)mask, .permitted = (uint32_t)mask},
		{.effective = (uint32_t)(mask >> 32), .permitted = (uint32_t)(mask >> 32)},
	};
	return syscall(SYS_capset, &header, data) == 0;
}
