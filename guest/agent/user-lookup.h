/* The image's USER, resolved against the image's own /etc/passwd and /etc/group as container runtimes do. */
#ifndef CATNAP_USER_LOOKUP_H
#define CATNAP_USER_LOOKUP_H

#include <stddef.h>
#include <sys/types.h>

#define MAX_SUPPLEMENTARY_GROUPS 64

struct container_user {
	uid_t uid;
	gid_t gid;
	gid_t groups[MAX_SUPPLEMENTARY_GROUPS];
	size_t group_count;
	char home[256];
};

/*
 * `spec` is "", "name", "uid", "name:group", "uid:gid" and mixtures; `passwd` and `group` are the files' texts.
 * Returns NULL, or what is wrong.
 */
const char *user_lookup(const char *spec, const char *passwd, const char *group, struct container_user *user);

#endif
