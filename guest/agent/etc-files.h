#ifndef CATNAP_ETC_FILES_H
#define CATNAP_ETC_FILES_H

/* Writes resolv.conf, hosts and hostname into the app's /etc, whatever the image has there. */
void etc_files_write(const char *root);

/* Whole lines. */
struct etc_identity {
	const char *machine_id;
	const char *hostname;
	const char *hosts;
};

/* Replaces machine-id and hostname and adds to hosts, in /etc of the mount namespace that calls. */
void etc_files_identify(const struct etc_identity *identity);

#endif
