package campaign

// DecodeInParts is Decode with parts of about that many bytes.
var DecodeInParts = decode
