/* Distinguished names: text and DER (RFC 4514, RFC 5280 4.1.2.4). Foreign octets are read through struct rd. Any thread.
 *
 * The text is in the order of the encoding, "C=DE, O=Example, CN=gw", as `openssl x509 -subject` and strongSwan write it (RFC 4514
 * 2.1 has it the other way round). Values are written as PrintableString where that can hold them, else as UTF8String; who
 * compares names must not mind the difference (RFC 5280 7.1).
 */
#pragma once

#include "config/config.h"

/* Text -> DER. 0 or -EINVAL: no name, an attribute that we have no name for, longer than CFG_ID_MAX. */
int cfg_dn_parse(const char *s, struct cfg_id *out) MUST_USE;
/* DER -> text, with every octet that is not plain as \XX; cut with "...". false: it is no DER name, or one that this text cannot say. */
bool cfg_dn_str(const struct cfg_id *id, char *buf, unsigned cap);
