/*
 * images - the image store, connected to the storage driver.
 */
#ifndef RUNTIME_ENGINE_IMAGES_H
#define RUNTIME_ENGINE_IMAGES_H

#include "compat/base/err.h"

struct engine;

int images_open(struct engine *e, struct err *err);

#endif
