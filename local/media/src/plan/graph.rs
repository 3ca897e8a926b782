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
    /// How often each of its outputs is taken.
    taken: Vec<usize>,
}

/// Where a node's frames come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// A stream of one of ffmpeg's inputs.
    Stream { input: usize, stream: usize },
    /// Another node.
    Node(NodeId),
}

/// An output of a node of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId {
    node: usize,
    output: usize,
}

/// The label under which an output of the graph can be mapped, brackets included.
pub(super) type Label = String;

impl Graph {
    /// Adds a chain of filters. There must be at least one filter.
    pub(super) fn add(&mut self, inputs: Vec<Source>, filters: Vec<String>) -> NodeId {
        self.nodes.push(Node { inputs, filters, taken: vec![0] });
        NodeId { node: self.nodes.len() - 1, output: 0 }
    }

    /// Adds a filter with several outputs, each of which must be taken once and no more.
    pub(super) fn add_many(&mut self, inputs: Vec<Source>, filter: String, outputs: usize) -> Vec<NodeId> {
        self.nodes.push(Node { inputs, filters: vec![filter], taken: vec![0; outputs] });
        let node = self.nodes.len() - 1;
        (0..outputs).map(|output| NodeId { node, output }).collect()
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
                let split = match node.taken.as_slice() {
                    [taken] if *taken > 1 => format!(",split={taken}"),
                    _ => String::new(),
                };
                let outputs: String = match node.taken.as_slice() {
                    [taken] => (0..*taken).map(|number| format!("[n{index}_{number}]")).collect(),
                    many => (0..many.len()).map(|output| format!("[n{index}o{output}]")).collect(),
                };
                format!("{inputs}{}{split}{outputs}", node.filters.join(","))
            })
            .collect();
        (chains.join(";"), labels)
    }

    fn take(&mut self, NodeId { node, output }: NodeId) -> Label {
        let taken = &mut self.nodes[node].taken;
        let number = taken[output];
        taken[output] += 1;
        if taken.len() == 1 { format!("[n{node}_{number}]") } else { format!("[n{node}o{output}]") }
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

    #[test]
    fn a_node_may_have_several_outputs() {
        let mut graph = Graph::default();
        let source = |stream| Source::Stream { input: 0, stream };
        let joined = graph.add_many(vec![source(0), source(1)], "concat=n=1:v=1:a=1".into(), 2);
        let picture = graph.add(vec![Source::Node(joined[0])], vec!["fps=30".into()]);
        let (text, labels) = graph.finish(&[picture, joined[1]]);
        assert_eq!(text, "[0:0][0:1]concat=n=1:v=1:a=1[n0o0][n0o1];[n0o0]fps=30[n1_0]");
        assert_eq!(labels, ["[n1_0]", "[n0o1]"]);
    }
}
