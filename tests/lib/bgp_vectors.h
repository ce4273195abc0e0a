/* Reads tests/vectors/bgp-updates.txt, which says what its columns mean. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bgp/attr.h"

enum { VECTOR_MSG = 4096, VECTOR_DATA = 512 };

struct bgp_vector {
	char name[64], why[160];
	enum bgp_verdict verdict;
	unsigned discarded; /* for ok and discard */
	bool as4;
	uint8_t code, sub; /* of the error; 0: none */
	uint8_t data[VECTOR_DATA];
	size_t data_len;
	uint8_t body[VECTOR_MSG]; /* of the UPDATE, behind its header */
	size_t body_len;
	bool has_nlri; /* behind the attributes */
};

/* Calls fn for each row; ends the program with a line when the file cannot be understood. The number of rows. */
unsigned bgp_vectors_read(const char *path, void (*fn)(void *arg, const struct bgp_vector *v), void *arg);
