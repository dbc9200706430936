/** Request and response records of the HTTP API: the JSON documents of docs/openapi.yaml, field by field. */
@NullMarked
package remus.api;

import org.jspecify.annotations.NullMarked;
