#ifndef CATNAP_CONTAINER_FAILURE_H
#define CATNAP_CONTAINER_FAILURE_H

/* Where a start that fails is told. */
void container_report_to(int report);

/* Ends the start with a message; `code` is its exit code. errno's text is added unless it is 0. */
void container_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

#endif
