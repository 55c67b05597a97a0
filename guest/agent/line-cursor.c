#include "line-cursor.h"

#include <string.h>

bool cursor_at_end(const struct cursor *cursor)
{
	return cursor->at == cursor->end;
}

bool cursor_take_char(struct cursor *cursor, char expected)
{
	if (cursor_at_end(cursor) || *cursor->at != expected)
		return false;
	cursor->at++;
	return true;
}

bool cursor_take_word(struct cursor *cursor, const char *word)
{
	size_t length = strlen(word);
	size_t left = (size_t)(cursor->end - cursor->at);
	if (left < length || memcmp(cursor->at, word, length) != 0)
		return false;
	if (left > length && cursor->at[length] != ' ')
		return false;
	cursor->at += length;
	return true;
}

bool cursor_take_number(struct cursor *cursor, uint64_t most, uint64_t *out)
{
	uint64_t value = 0;
	const char *from = cursor->at;
	while (!cursor_at_end(cursor) && *cursor->at >= '0' && *cursor->at <= '9') {
		uint64_t digit = (uint64_t)(*cursor->at - '0');
		if (digit > most || value > (most - digit) / 10)
			return false;
		value = value * 10 + digit;
		cursor->at++;
	}
	*out = value;
	return cursor->at > from;
}
