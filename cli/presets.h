/* `gwctl show presets`: what a tunnel's `kind` stands for. Nobody is asked: it is in the config room. */
#pragma once

#include <stdbool.h>

/* As the YAML of a tunnel, or as JSON. Exit code. */
int presets_show(bool json);
