/* From the first instruction of /init to a VM that is ready to hold the app. */
#ifndef CATNAP_BOOT_H
#define CATNAP_BOOT_H

/* Kernel file systems, modules, the agent's own root directory. */
void boot_system(void);
/* Root file system of the app at APP_ROOT: read-only image disk under the writable upper disk. */
void boot_disks(void);
/* lo and eth0. */
void boot_network(void);

#define APP_ROOT "/app"
/* Read-only, in the agent's root: what the agent can run in a container that has no tools. */
#define TOOLS "/tools"

#endif
