/**
 * The hub: a control plane and gateway that anyone can host. This package holds the server, its
 * settings and the component that puts the parts together; {@code agents} deals with the agents,
 * {@code kube} with clients of a cluster's Kubernetes API, {@code rest} with administrators, {@code
 * store} and {@code tls} with what has to be kept.
 */
package io.pipeops.hub;
