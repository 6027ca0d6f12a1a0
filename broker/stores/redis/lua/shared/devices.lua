-- Devices that wait for a person (RFC 8628): the fields of a device's record.

local D = {
  CLIENT = 1, SCOPE = 2, RESOURCES = 3, EXPIRES = 4, STATE = 5, INTERVAL = 6, POLLED = 7, SEEN = 8,
  ACCOUNT = 9, CODE = 10, GRANT = 11, TAKEN = 12,
}
