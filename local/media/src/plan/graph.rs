//! The text of a filter graph, built node by node.

/// A filter graph under construction. Every node's output may be taken any number of times; where that is more than once, the
/// text gets a `split`.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    inputs: Vec<Source>,
    filters: Vec<String>,
    taken: usize,
}

/// Where a node's frames come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// A stream of one of ffmpeg's inputs.
    Stream { input: usize, stream: usize },
    /// Another node.
    Node(NodeId),
}

/// A node of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(usize);

/// The label under which an output of the graph can be mapped, brackets included.
pub(super) type Label = String;

impl Graph {
    /// Adds a chain of filters. There must be at least one filter.
    pub(super) fn add(&mut self, inputs: Vec<Source>, filters: Vec<String>) -> NodeId {
        self.nodes.push(Node { inputs, filters, taken: 0 });
        NodeId(self.nodes.len() - 1)
    }

    /// The graph's text, and for each of `outputs` the label it carries there.
    pub(super) fn finish(mut self, outputs: &[NodeId]) -> (String, Vec<Label>) {
        // Each taker of a node gets a number of its own: first the nodes in order, then the outputs.
        let mut wires = Vec::new();
        for index in 0..self.nodes.len() {
            let inputs = self.nodes[index].inputs.clone();
            let labels: String = inputs
                .into_iter()
                .map(|source| match source {
                    Source::Stream { input, stream } => format!("[{input}:{stream}]"),
                    Source::Node(node) => self.take(node),
                })
                .collect();
            wires.push(labels);
        }
        let labels: Vec<_> = outputs.iter().map(|node| self.take(*node)).collect();
        let chains: Vec<_> = self
            .nodes
            .iter()
            .zip(&wires)
            .enumerate()
            .map(|(index, (node, inputs))| {
                let split = if node.taken > 1 { format!(",split={}", node.taken) } else { String::new() };
                let outputs: String = (0..node.taken).map(|number| format!("[n{index}_{number}]")).collect();
                format!("{inputs}{}{split}{outputs}", node.filters.join(","))
            })
            .collect();
        (chains.join(";"), labels)
    }

    fn take(&mut self, NodeId(index): NodeId) -> Label {
        let number = self.nodes[index].taken;
        self.nodes[index].taken += 1;
        format!("[n{index}_{number}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_taken_twice_is_split() {
        let mut graph = Graph::default();
        let source = Source::Stream { input: 0, stream: 1 };
        let large = graph.add(vec![source], vec!["fps=30".into(), "scale=8:8".into()]);
        let small = graph.add(vec![Source::Node(large)], vec!["scale=4:4".into()]);
        let (text, labels) = graph.finish(&[large, small]);
        assert_eq!(text, "[0:1]fps=30,scale=8:8,split=2[n0_0][n0_1];[n0_0]scale=4:4[n1_0]");
        assert_eq!(labels, ["[n0_1]", "[n1_0]"]);
    }
}
