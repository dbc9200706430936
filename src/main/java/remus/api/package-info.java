/** Request and response records of the HTTP API. */
@NullMarked
package remus.api;

import org.jspecify.annotations.NullMarked;
