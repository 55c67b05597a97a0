/* Reads one line of the contract from left to right. */
#ifndef CATNAP_LINE_CURSOR_H
#define CATNAP_LINE_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

struct cursor {
	const char *at;
	const char *end;
};

bool cursor_at_end(const struct cursor *cursor);
bool cursor_take_char(struct cursor *cursor, char expected);
/* A whole word: up to a space or the end. */
bool cursor_take_word(struct cursor *cursor, const char *word);
/* Decimal digits, at least one, of a number not above `most`. */
bool cursor_take_number(struct cursor *cursor, uint64_t most, uint64_t *out);

#endif
