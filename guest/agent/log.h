/* Sparse messages on the VM's console. */
#ifndef CATNAP_LOG_H
#define CATNAP_LOG_H

void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Logs the message with errno's text, then ends the VM: without this step there is no use in going on. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
