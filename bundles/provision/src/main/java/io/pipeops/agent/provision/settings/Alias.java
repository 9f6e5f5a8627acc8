package io.pipeops.agent.provision.settings;

import java.util.List;

/**
 * Names that the existing agent has for something.
 *
 * @param target key of our setting; empty if there is nothing here that it could change
 * @param conversion how values become ours
 * @param keys keys in its configuration file; the end {@code .*} stands for all below
 * @param environment its environment variables
 * @param flags its flags, without dashes
 */
record Alias(
    String target,
    Conversion conversion,
    List<String> keys,
    List<String> environment,
    List<String> flags) {}
