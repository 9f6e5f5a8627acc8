/**
 * The administrators' REST API: clusters, tokens, state, events. {@link
 * io.pipeops.hub.rest.RestApi} is the handler; what it serves stands in {@code openapi.json}.
 */
package io.pipeops.hub.rest;
