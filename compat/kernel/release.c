/*
 * release.c - the age of the running kernel
 */
#include "compat/kernel/release.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

bool release_is_before(const char *text, int major, int minor, int patch, int el6_build)
{
	int have[4] = {0};

	if (sscanf(text, "%d.%d.%d-%d", &have[0], &have[1], &have[2], &have[3]) < 2)
		return false;
	if (strstr(text, ".el6") && have[3] >= el6_build)
		return false;
	if (have[0] != major)
		return have[0] < major;
	if (have[1] != minor)
		return have[1] < minor;
	return have[2] < patch;
}

bool kernel_is_before(int major, int minor, int patch, int el6_build)
{
	struct utsname uts;

	return uname(&uts) == 0 && release_is_before(uts.release, major, minor, patch, el6_build);
}
