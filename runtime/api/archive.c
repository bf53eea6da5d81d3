/*
 * archive.c - field table of archive.h
 */
#include "runtime/api/archive.h"

#include <sys/stat.h>

#include "runtime/api/table.h"

#define S struct api_path_stat
static const struct json_field path_stat_fields[] = {
	F(name, "name", JSON_STR, 0),
	F(size, "size", JSON_I64, 0),
	F(mode, "mode", JSON_U32, 0),
	F(mtime, "mtime", JSON_TIME, 0),
	F(link_target, "linkTarget", JSON_STR, 0),
};
const struct json_table api_path_stat_table = JSON_TABLE("path", S, path_stat_fields);
#undef S

uint32_t api_mode(mode_t mode)
{
	static const struct {
		mode_t kind;
		uint32_t bits;
	} kinds[] = {
		{S_IFDIR, API_MODE_DIR},       {S_IFLNK, API_MODE_LINK},
		{S_IFBLK, API_MODE_DEVICE},    {S_IFCHR, API_MODE_DEVICE | API_MODE_CHAR_DEVICE},
		{S_IFIFO, API_MODE_FIFO},      {S_IFSOCK, API_MODE_SOCKET},
	};
	uint32_t ret = mode & 0777;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if ((mode & S_IFMT) == kinds[i].kind)
			ret |= kinds[i].bits;
	}
	return ret | (mode & S_ISUID ? API_MODE_SETUID : 0) | (mode & S_ISGID ? API_MODE_SETGID : 0) |
	       (mode & S_ISVTX ? API_MODE_STICKY : 0);
}
