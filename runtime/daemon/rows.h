/*
 * rows - objects in the form in which lists show them.
 */
#ifndef RUNTIME_DAEMON_ROWS_H
#define RUNTIME_DAEMON_ROWS_H

#include "runtime/api/image.h"
#include "runtime/api/volume.h"
#include "runtime/image/store.h"
#include "runtime/volume/volume.h"

/* @row is zeroed before, and cleared by its table. */
void image_show_row(const struct image *image, struct api_image_summary *row);
void volume_show(const struct volume *from, struct api_volume *to);

#endif
