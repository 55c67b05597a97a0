#include "command.h"

#include <string.h>

struct cursor {
	const char *at;
	const char *end;
};

static bool at_end(const struct cursor *cursor)
{
	return cursor->at == cursor->end;
}

static bool take_char(struct cursor *cursor, char expected)
{
	if (at_end(cursor) || *cursor->at != expected)
		return false;
	cursor->at++;
	return true;
}

static bool take_word(struct cursor *cursor, const char *word)
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

static bool take_number(struct cursor *cursor, uint64_t most, uint64_t *out)
{
	uint64_t value = 0;
	const char *from = cursor->at;
	while (!at_end(cursor) && *cursor->at >= '0' && *cursor->at <= '9') {
		uint64_t digit = (uint64_t)(*cursor->at - '0');
		if (value > (most - digit) / 10)
			return false;
		value = value * 10 + digit;
		cursor->at++;
	}
	*out = value;
	return cursor->at > from;
}

static bool take_port(struct cursor *cursor, uint16_t *port)
{
	uint64_t value;
	if (!take_number(cursor, 65535, &value) || value == 0)
		return false;
	*port = (uint16_t)value;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool take_hex(struct cursor *cursor, uint8_t *bytes, size_t most, size_t *length)
{
	size_t count = 0;
	while (!at_end(cursor)) {
		if (cursor->end - cursor->at < 2 || count == most)
			return false;
		int high = hex_digit(cursor->at[0]);
		int low = hex_digit(cursor->at[1]);
		if (high < 0 || low < 0)
			return false;
		bytes[count++] = (uint8_t)(high * 16 + low);
		cursor->at += 2;
	}
	*length = count;
	return true;
}

static bool parse_listening(struct cursor *cursor, struct command *command)
{
	while (take_char(cursor, ' ')) {
		if (command->port_count == MAX_LISTENING_PORTS)
			return false;
		if (!take_port(cursor, &command->ports[command->port_count]))
			return false;
		command->port_count++;
	}
	return true;
}

/* "wake <seconds>.<nine digits> <hex>" */
static bool parse_wake(struct cursor *cursor, struct command *command)
{
	uint64_t seconds, nanoseconds;
	if (!take_char(cursor, ' ') || !take_number(cursor, INT64_MAX / 2, &seconds) || !take_char(cursor, '.'))
		return false;
	const char *fraction = cursor->at;
	if (!take_number(cursor, 999999999, &nanoseconds) || cursor->at - fraction != 9 || !take_char(cursor, ' '))
		return false;
	command->wall_clock.tv_sec = (time_t)seconds;
	command->wall_clock.tv_nsec = (long)nanoseconds;
	return take_hex(cursor, command->entropy, MAX_ENTROPY_BYTES, &command->entropy_length) &&
	       command->entropy_length >= MIN_ENTROPY_BYTES;
}

static bool parse_arguments(struct cursor *cursor, struct command *command)
{
	uint64_t number;
	switch (command->kind) {
	case COMMAND_RELAY:
		return take_char(cursor, ' ') && take_port(cursor, &command->port);
	case COMMAND_EVENTS:
		return take_char(cursor, ' ') && take_number(cursor, INT64_MAX, &command->offset);
	case COMMAND_START:
		if (!take_char(cursor, ' ') || !take_number(cursor, MAX_START_CONFIG_BYTES, &number) || number == 0)
			return false;
		command->body_length = (size_t)number;
		return true;
	case COMMAND_STOP:
		if (!take_char(cursor, ' ') || !take_number(cursor, MAX_GRACE_MS, &number))
			return false;
		command->grace_ms = (uint32_t)number;
		return true;
	case COMMAND_LISTENING:
		return parse_listening(cursor, command);
	case COMMAND_WAKE:
		return parse_wake(cursor, command);
	case COMMAND_STATUS:
	case COMMAND_BUSY:
	case COMMAND_SETTLE:
	case COMMAND_POWEROFF:
		return true;
	}
	return false;
}

bool command_parse(const char *line, size_t length, struct command *command)
{
	static const struct {
		const char *word;
		enum command_kind kind;
	} words[] = {
		{"relay", COMMAND_RELAY},     {"events", COMMAND_EVENTS},       {"start", COMMAND_START},
		{"status", COMMAND_STATUS},   {"listening", COMMAND_LISTENING}, {"busy", COMMAND_BUSY},
		{"settle", COMMAND_SETTLE},   {"wake", COMMAND_WAKE},           {"stop", COMMAND_STOP},
		{"poweroff", COMMAND_POWEROFF},
	};
	struct cursor cursor = {line, line + length};
	memset(command, 0, sizeof(*command));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!take_word(&cursor, words[i].word))
			continue;
		command->kind = words[i].kind;
		return parse_arguments(&cursor, command) && at_end(&cursor);
	}
	return false;
}
