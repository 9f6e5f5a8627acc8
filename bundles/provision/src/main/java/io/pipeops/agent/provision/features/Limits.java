package io.pipeops.agent.provision.features;

import java.time.Duration;

/**
 * How long things may take.
 *
 * @param start start of one bundle
 * @param health from a start until all is well
 * @param drain until a former version leaves although it has streams
 */
public record Limits(Duration start, Duration health, Duration drain) {}
