#include "user-lookup.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct text {
	const char *at;
	size_t length;
};

#define MAX_FIELDS 7

/* Splits one line of colon-separated fields; returns how many there are, at most MAX_FIELDS. */
static size_t split_fields(struct text line, struct text fields[MAX_FIELDS])
{
	size_t count = 0;
	const char *from = line.at, *end = line.at + line.length;
	for (const char *at = from;; at++) {
		if (at < end && *at != ':')
			continue;
		fields[count++] = (struct text){from, (size_t)(at - from)};
		from = at + 1;
		if (at == end || count == MAX_FIELDS)
			return count;
	}
}

static bool next_line(const char **file, struct text *line)
{
	if (**file == '\0')
		return false;
	line->at = *file;
	line->length = strcspn(*file, "\n");
	*file += line->length;
	if (**file == '\n')
		(*file)++;
	return true;
}

static bool equals(struct text a, struct text b)
{
	return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

static bool parse_id(struct text text, uint32_t *id)
{
	uint64_t value = 0;
	if (text.length == 0 || text.length > 10)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text.at[i] - '0');
	}
	*id = (uint32_t)value;
	return value < UINT32_MAX; /* the last value means "unchanged" to the kernel */
}

struct passwd_entry {
	struct text name;
	uint32_t uid;
	uint32_t gid;
	struct text home;
};

/* A name wins over a number of the same spelling. */
static bool find_user(const char *passwd, struct text wanted, struct passwd_entry *found)
{
	uint32_t wanted_id;
	bool has_id = parse_id(wanted, &wanted_id), matched = false;
	struct text line, fields[MAX_FIELDS];
	while (next_line(&passwd, &line)) {
		struct passwd_entry entry;
		if (split_fields(line, fields) < 6 || !parse_id(fields[2], &entry.uid) || !parse_id(fields[3], &entry.gid))
			continue;
		entry.name = fields[0];
		entry.home = fields[5];
		if (equals(entry.name, wanted)) {
			*found = entry;
			return true;
		}
		if (has_id && !matched && entry.uid == wanted_id) {
			*found = entry;
			matched = true;
		}
	}
	return matched;
}

static bool find_group(const char *group, struct text wanted, gid_t *gid)
{
	struct text line, fields[MAX_FIELDS];
	uint32_t id;
	while (next_line(&group, &line)) {
		if (split_fields(line, fields) < 3 || !equals(fields[0], wanted) || !parse_id(fields[2], &id))
			continue;
		*gid = id;
		return true;
	}
	if (!parse_id(wanted, &id))
		return false;
	*gid = id;
	return true;
}

static bool lists_member(struct text members, struct text name)
{
	const char *end = members.at + members.length;
	for (const char *at = members.at; at < end;) {
		size_t length = 0;
		while (at + length < end && at[length] != ',')
			length++;
		if (equals((struct text){at, length}, name))
			return true;
		at += length + 1;
	}
	return false;
}

static void add_memberships(const char *group, struct text name, struct container_user *user)
{
	struct text line, fields[MAX_FIELDS];
	uint32_t id;
	while (next_line(&group, &line) && user->group_count < MAX_SUPPLEMENTARY_GROUPS) {
		if (split_fields(line, fields) >= 4 && parse_id(fields[2], &id) && lists_member(fields[3], name))
			user->groups[user->group_count++] = id;
	}
}

const char *user_lookup(const char *spec, const char *passwd, const char *group, struct container_user *user)
{
	struct text name = {spec, strcspn(spec, ":")};
	bool has_group = spec[name.length] == ':' && spec[name.length + 1] != '\0';
	struct passwd_entry entry;
	uint32_t id;
	*user = (struct container_user){.home = "/"};
	if (name.length == 0)
		name = (struct text){"0", 1};
	if (find_user(passwd, name, &entry)) {
		user->uid = entry.uid;
		user->gid = entry.gid;
		if (entry.home.length > 0 && entry.home.length < sizeof(user->home))
			snprintf(user->home, sizeof(user->home), "%.*s", (int)entry.home.length, entry.home.at);
		if (!has_group)
			add_memberships(group, entry.name, user);
	} else if (parse_id(name, &id)) {
		user->uid = id;
	} else {
		return "no matching entries in passwd file";
	}
	if (has_group) {
		const char *wanted = spec + name.length + 1;
		if (!find_group(group, (struct text){wanted, strlen(wanted)}, &user->gid))
			return "no matching entries in group file";
	}
	return NULL;
}
