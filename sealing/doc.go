// Package sealing keeps chat text unreadable between media and the region that stores it.
//
// Text is sealed with HPKE (RFC 9180, base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM) to a key of the region that may read it. Keys
// hold for ten minutes. A region's Keeper makes them ahead and publishes their public halves; media seals with a Ring that follows what is
// published; ingest opens with the Keeper's private halves; and the Keeper destroys a key once all that was sealed to it is ingested, so that what a
// broker retains can't be opened by anybody any more.
package sealing
