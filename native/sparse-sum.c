/*
 * Prints a checksum of a file's content: sparse-sum [--disk] FILE
 * or of many, as they are asked for: sparse-sum --serve, with lines of "BYTES FILE" on its input.
 *
 * Files here are mostly holes: gigabytes long with megabytes in them. Only what is stored is read. Blocks of zeros count
 * for nothing, stored or not, so that a copy with other holes has the same sum. --disk reads past the page cache, what
 * lies on the disk, and leaves the cache as it is. When served, a file with more than BYTES stored is told as "-", one
 * that cannot be read as "error" and why.
 *
 * The sum: Fletcher's with four 64-bit accumulators over 32-bit words, of every block that is not all zeros its number and
 * its content, in order; at the end the file's length. It finds flipped bits, lost and swapped blocks; it is no defence
 * against forgery.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 4096, CHUNK = 256 * BLOCK, WORDS = BLOCK / 4 };

struct sum {
	uint64_t a, b, c, d;
};

static void add(struct sum *sum, uint32_t word)
{
	sum->a += word;
	sum->b += sum->a;
	sum->c += sum->b;
	sum->d += sum->c;
}

static void add_number(struct sum *sum, uint64_t number)
{
	add(sum, (uint32_t)number);
	add(sum, (uint32_t)(number >> 32));
}

static bool is_zero(const unsigned char *block)
{
	return block[0] == 0 && memcmp(block, block + 1, BLOCK - 1) == 0;
}

static void add_block(struct sum *sum, uint64_t number, const unsigned char *block)
{
	struct sum now;
	if (is_zero(block))
		return;
	add_number(sum, number);
	now = *sum;
	for (int at = 0; at < WORDS; at++) {
		uint32_t word;
		memcpy(&word, block + at * 4, 4);
		add(&now, word);
	}
	*sum = now;
}

/* Reads a range of whole blocks; beyond the end of the file everything is zero. */
static bool add_range(struct sum *sum, int file, off_t from, off_t to, unsigned char *buffer)
{
	while (from < to) {
		size_t wanted = to - from < CHUNK ? (size_t)(to - from) : CHUNK;
		ssize_t got = pread(file, buffer, (wanted + BLOCK - 1) / BLOCK * BLOCK, from);
		if (got < 0)
			return false;
		if (got == 0)
			return true;
		memset(buffer + got, 0, (size_t)((BLOCK - got % BLOCK) % BLOCK));
		for (ssize_t at = 0; at < got; at += BLOCK)
			add_block(sum, (uint64_t)((from + at) / BLOCK), buffer + at);
		from += got;
	}
	return true;
}

static bool add_file(struct sum *sum, int file, off_t length, unsigned char *buffer)
{
	off_t end = 0, done = 0;
	for (;;) {
		off_t from = lseek(file, end, SEEK_DATA);
		if (from < 0 && errno == ENXIO)
			break; /* only a hole is left */
		if (from < 0 || (end = lseek(file, from, SEEK_HOLE)) < 0)
			return false;
		/* Holes may be smaller than our blocks: none is counted twice. */
		from = from / BLOCK * BLOCK;
		if (!add_range(sum, file, from > done ? from : done, end, buffer))
			return false;
		done = (end + BLOCK - 1) / BLOCK * BLOCK;
	}
	add_number(sum, (uint64_t)length);
	return true;
}

static int open_file(const char *name, bool from_disk)
{
	int file = from_disk ? open(name, O_RDONLY | O_CLOEXEC | O_DIRECT) : -1;
	/* Not every file system can do without its cache. */
	return file >= 0 ? file : open(name, O_RDONLY | O_CLOEXEC);
}

/* One line of output; false when the file could not be read. */
static bool print_sum(const char *name, bool from_disk, long long most, unsigned char *buffer)
{
	struct sum sum = { 0 };
	struct stat status;
	int file = open_file(name, from_disk);
	bool is_read = file >= 0 && fstat(file, &status) == 0;
	if (is_read && (long long)status.st_blocks * 512 > most)
		puts("-");
	else if (is_read && (is_read = add_file(&sum, file, status.st_size, buffer)))
		printf("%016llx%016llx%016llx%016llx\n", (unsigned long long)sum.a, (unsigned long long)sum.b,
		       (unsigned long long)sum.c, (unsigned long long)sum.d);
	if (!is_read)
		printf("error %s: %s\n", name, strerror(errno));
	if (file >= 0)
		close(file);
	fflush(stdout);
	return is_read;
}

static void serve(unsigned char *buffer)
{
	char line[PATH_MAX + 32];
	while (fgets(line, sizeof(line), stdin) != NULL) {
		char *name;
		long long most = strtoll(line, &name, 10);
		name[strcspn(name, "\n")] = 0;
		print_sum(name + (*name == ' '), false, most, buffer);
	}
}

int main(int argc, char **argv)
{
	unsigned char *buffer = aligned_alloc(BLOCK, CHUNK);
	bool from_disk = argc == 3 && strcmp(argv[1], "--disk") == 0;
	if (buffer == NULL)
		return 1;
	if (argc == 2 && strcmp(argv[1], "--serve") == 0) {
		serve(buffer);
		return 0;
	}
	if (argc != 2 && !from_disk) {
		fputs("usage: sparse-sum [--disk] FILE | sparse-sum --serve\n", stderr);
		return 2;
	}
	return print_sum(argv[argc - 1], from_disk, LLONG_MAX, buffer) ? 0 : 1;
}
