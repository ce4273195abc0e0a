/* The other end of an SA, by OpenSSL: ESP packets of every suite made and opened without the code under test. RFC 4303 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ring/msg.h"

enum { ESP_PEER_IV_MAX = 16, ESP_PEER_ICV_MAX = 32 };

/* Octets that the suite asks for: of IV, ICV, and what the padded text is a multiple of. RFC 4106, 7634, 4543, 3602, 2451, 4868 */
uint16_t esp_peer_iv_len(unsigned encr);
uint16_t esp_peer_icv_len(unsigned encr, unsigned integ);
uint16_t esp_peer_align(unsigned encr);

/* The key is as in struct msg_sa_add. Writes SPI, number, IV, cipher text and ICV to esp; gives their octets. */
uint16_t esp_peer_seal(const struct msg_sa_add *sa, uint64_t seq, const uint8_t *iv, const uint8_t *text, uint16_t len,
		       uint8_t *esp);
/* The text of a packet of len octets, and how many there are of it; -1: the ICV is wrong, or it is none. high: of the number, with
 * MSG_SA_ESN. */
int esp_peer_open(const struct msg_sa_add *sa, uint32_t high, const uint8_t *esp, uint16_t len, uint8_t *text);
