// Shows code with a button that copies it. data: html (the code, its characters escaped, in spans by kind), text, wraps.
async function copy(text, shown) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  getSelection().selectAllChildren(shown); // a page that did not come by https or from this machine
  document.execCommand("copy");
}

export default function ({parentElement, data}) {
  let whole = parentElement.querySelector(".ao-code");
  if (!whole) {
    whole = document.createElement("div");
    whole.className = "ao-code";
    whole.innerHTML = '<button type="button" title="Copy to clipboard" aria-label="Copy to clipboard">Copy</button>'
      + '<pre tabindex="0"><code></code></pre>';
    parentElement.append(whole);
  }
  const [button, code] = [whole.querySelector("button"), whole.querySelector("code")];
  code.innerHTML = data.html;
  whole.classList.toggle("ao-wrap", data.wraps);
  button.onclick = async () => {
    await copy(data.text, code);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
}
