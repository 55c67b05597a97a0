#ifndef CATNAP_ETC_FILES_H
#define CATNAP_ETC_FILES_H

/* Writes resolv.conf, hosts and hostname into the app's /etc, whatever the image has there. */
void etc_files_write(const char *root);

#endif
