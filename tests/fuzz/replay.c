/*
 * replay.c - main program that feeds files to a fuzz target, for builds without libFuzzer
 *
 * Usage: f_NAME FILE|DIRECTORY... Each regular file is one input; what it says is how many there were. A finding ends the program.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 16 << 20 };

static long inputs;

static void die(const char *what, const char *path)
{
	fprintf(stderr, "%s '%s': %s\n", what, path, strerror(errno));
	exit(2);
}

static void replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(INPUT_MAX);
	uint8_t *exact;
	size_t size;

	if (!file || !data)
		die("open", path);
	size = fread(data, 1, INPUT_MAX, file);
	if (ferror(file))
		die("read", path);
	fclose(file);

	/* Exactly as long as the input, so that a sanitizer sees the first byte behind it. */
	exact = malloc(size ? size : 1);
	if (!exact)
		die("allocate for", path);
	memcpy(exact, data, size);
	free(data);
	(void)LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	inputs++;
}

static void replay(const char *path)
{
	struct stat st;
	struct dirent *entry;
	DIR *dir;

	if (stat(path, &st))
		die("stat", path);
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path);
		return;
	}
	dir = opendir(path);
	if (!dir)
		die("open", path);
	while ((entry = readdir(dir))) {
		char child[4096];

		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(child, sizeof(child), "%s/%s", path, entry->d_name) >= (int)sizeof(child)) {
			errno = ENAMETOOLONG;
			die("open", path);
		}
		replay(child);
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%ld inputs\n", inputs);
	return 0;
}
