package io.pipeops.hub.rest;

import java.util.Optional;

/**
 * What the REST API tells others of this hub.
 *
 * @param version the hub's version
 * @param externalUrl where clients reach the hub ({@code https://hub.example.com}); empty to take
 *     the address that the request came to
 * @param caPem the CA that clients must trust, as PEM; empty if they know it anyway
 */
public record RestSettings(String version, String externalUrl, Optional<String> caPem) {}
