/**
 * An embedded Kubernetes API, kept in memory, for trying the agent where no cluster is at hand.
 *
 * <p>Where to look: {@link io.pipeops.agent.sandbox.SandboxServer} starts and ends it; {@link
 * io.pipeops.agent.sandbox.ApiHandler} takes a request and finds who answers it; {@link
 * io.pipeops.agent.sandbox.ResourceCatalog} says what is served; {@link
 * io.pipeops.agent.sandbox.Resources} does what the verbs mean, on {@link
 * io.pipeops.agent.sandbox.ObjectStore}; {@link io.pipeops.agent.sandbox.ControlLoop} lets the
 * controllers play the rest of a cluster.
 */
package io.pipeops.agent.sandbox;
