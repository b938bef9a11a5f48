// The script of the report's page, second part: what each receiver was sent.

extension ReportPage {
    /// The second part of the script.
    static let receiversScript = #"""
        const stays=p=>p.left===null?N:p.left;
        // Bars of a slot: as high as the layer is, of those that the slot ever shows; striped while a key frame is waited for.
        function slotCanvas(s,left,layers){const w=Math.min(2400,Math.max(900,s.spans.length*6)),h=52;
         return canvas(w,h,g=>{
          for(const x of s.spans){if(x[2]<0)continue;
           const end=x[1]<0?left:x[1],a=x[0]/N*w,b=Math.max(a+1,end/N*w-1);
           const high=s.kind==='video'&&layers>1&&x[4]>=0?Math.round(h*(.25+.75*(x[4]+1)/layers)):h;
           g.fillStyle=colour(x[2]);
           if(x[5]){g.globalAlpha=.28;g.fillRect(a,h-high,b-a,high);g.globalAlpha=.75;g.save();g.beginPath();
            g.rect(a,h-high,b-a,high);g.clip();
            for(let i=a-h;i<b;i+=10){g.beginPath();g.moveTo(i,h);g.lineTo(i+h,0);g.lineTo(i+h+4,0);g.lineTo(i+4,h);g.fill()}
            g.restore()}
           else{g.globalAlpha=1;g.fillRect(a,h-high,b-a,high)}}
          g.globalAlpha=1;
          if(s.wanted){g.strokeStyle=getComputedStyle(document.body).color;g.lineWidth=2;g.setLineDash([7,4]);
           g.beginPath();let pen=false;
           s.wanted.forEach((x,i)=>{if(x<0){pen=false;return}
            const y=h-Math.round(h*(.25+.75*(x+1)/layers))+1,a=i*D.bucket/N*w,b=(i+1)*D.bucket/N*w;
            if(pen)g.lineTo(a,y);else g.moveTo(a,y);g.lineTo(b,y);pen=true});g.stroke()}})}
        function slotLane(s,left){
         let layers=1;for(const x of s.spans)if(x[4]+1>layers)layers=x[4]+1;
         if(s.wanted)for(const x of s.wanted)if(x+1>layers)layers=x+1;
         const find=t=>s.spans.find(x=>t>=x[0]&&t<(x[1]<0?left:x[1]));
         const say=t=>{const x=find(t),w=s.wanted?value(s.wanted,t):-1;
          if(!x)return sec(t)+': nothing'+(t>=left?', the receiver has left':' yet');
          return sec(t)+': '+(x[2]<0?'nothing':called(x[2])+'’s track '+x[3])+
           (x[4]>=0&&s.kind==='video'?', layer '+x[4]:'')+(w>=0?', wanted layer '+w:'')+': '+x[6]};
         const shown=s.spans.filter(x=>x[2]>=0&&!x[5]);
         const l=lane(s.kind,say,'slot '+s.mid+' shows '+shown.slice(0,6).map(x=>called(x[2])+' from '+sec(x[0])).join(', ')+
          (shown.length>6?' and '+(shown.length-6)+' more':''));
         l.append(slotCanvas(s,left,layers));
         for(const x of s.spans){if(x[2]<0||x[5])continue;const end=x[1]<0?left:x[1];
          if((end-x[0])/N<.035)continue;
          const e=make('div','label',x[2]+(s.kind==='video'&&layers>1?' · layer '+x[4]:''));
          e.style.left=x[0]/N*100+'%';e.style.width=(end-x[0])/N*100+'%';l.append(e)}
         return l}
        function receiver(p,d){if(d.dataset.drawn)return;d.dataset.drawn='1';
         const left=stays(p),empty=[];
         for(const s of p.slots){
          if(s.spans.every(x=>x[2]<0)){empty.push(s.mid);continue}
          d.append(row('slot '+s.mid,slotLane(s,left),s.kind))}
         const top=list=>Math.max(0,...list);
         if(p.to.length){const curves=[[p.to.map(x=>x*8000/D.bucket),'',true]];
          if(p.estimate)curves.push([p.estimate,'second',false]);
          d.append(row('sent',chart(curves,bits,t=>sec(t)+': '+rate(value(p.to,t)||0)+' to '+called(p.id)+
           (p.estimate&&value(p.estimate,t)>=0?', estimate '+bits(value(p.estimate,t)):''),
           'sent, at most '+rate(top(p.to))),'',p.estimate?'estimate':''))}
         if(p.from.some(x=>x>0))d.append(row('received',chart([[p.from.map(x=>x*8000/D.bucket),'',true]],bits,
          t=>sec(t)+': '+rate(value(p.from,t)||0)+' from '+called(p.id),'received, at most '+rate(top(p.from)))));
         if(p.loss.some(x=>x>0))d.append(row('loss',chart([[p.loss,'',true]],x=>tenth(x,' %'),
          t=>{const x=value(p.loss,t);return sec(t)+': '+(x>=0?tenth(x,' %')+' lost, as reported':'no report')},
          'loss, at most '+tenth(top(p.loss),' %'))));
         if(p.rtt.some(x=>x>=0))d.append(row('round trip',chart([[p.rtt,'',true]],x=>tenth(x,' ms'),
          t=>{const x=value(p.rtt,t);return sec(t)+': '+(x>=0?tenth(x,' ms'):'not measured')},
          'round trip, at most '+tenth(top(p.rtt),' ms'))));
         d.append(axis());
         const notes=[];if(p.publishes)notes.push('publishes '+p.publishes);
         if(empty.length)notes.push('nothing was ever on slot'+(empty.length>1?'s ':' ')+empty.join(', '));
         if(p.joined>0)notes.push('here from '+sec(p.joined));if(p.left!==null)notes.push('left at '+sec(p.left));
         put(d,make('p','soft small',notes.join(' · ')))}
        // The figures of a receiver's row.
        function figures(p){const span=Math.max(1,stays(p)-p.joined),bytes=p.to.reduce((a,b)=>a+b,0);
         let changes=0,waited=0;
         for(const s of p.slots){let before=-1,any=false;for(const x of s.spans){
          if(x[5])waited+=(x[1]<0?stays(p):x[1])-x[0];
          if(x[2]!==before){if(any&&x[2]>=0)changes++;if(x[2]>=0)any=true;before=x[2]}}}
         const trips=p.rtt.filter(x=>x>=0).sort((a,b)=>a-b);
         return{id:p.id,sent:bytes*8000/span,loss:Math.max(-1,...p.loss),
          rtt:trips.length?trips[trips.length>>1]:-1,changes,waited}}
        function receivers(){const box=$('receivers');
         if(!D.peers.length){put(box,make('p','soft','There was nobody.'));return}
         const rows=D.peers.map(p=>{const f=figures(p),d=make('details'),s=make('summary'),dot=make('span','dot');
          dot.style.background=colour(p.id);
          const spark=lane('spark wide-only',t=>sec(t)+': '+rate(value(p.to,t)||0));spark.onclick=null;
          const top=Math.max(1,...p.to);
          spark.append(bars(p.to,18,colour(p.id),x=>Math.round(x/top*17)));
          put(s,put(make('span','who'),dot,make('b','',called(p.id))),spark,make('span','',bits(f.sent)),
           make('span',f.loss>20?'warn':'',tenth(f.loss,' %')),make('span','',tenth(f.rtt,' ms')),
           make('span','wide-only',String(f.changes)),make('span','wide-only'+(f.waited>1000?' warn':''),
            f.waited?sec(f.waited):'–'));
          d.append(s);d.ontoggle=()=>{if(d.open)receiver(p,d)};return{f,d}});
         const head=make('div','grid'),buttons=[];
         for(const[name,key,cls,title]of[['receiver','id',''],['sent over time','','wide-only'],
          ['sent','sent','','on average'],['loss','loss','','the worst that it reported'],
          ['round trip','rtt','','median'],['changes','changes','wide-only','of a slot from one publisher to another'],
          ['waited','waited','wide-only','for key frames, all slots together']]){
          if(!key){put(head,make('span','soft small '+cls,name));continue}
          const b=make('button',cls,name);if(title)b.title=title;buttons.push(b);
          b.onclick=()=>{for(const o of buttons)o.setAttribute('aria-pressed',String(o===b));
           rows.sort((a,c)=>key==='id'?order.get(a.f.id)-order.get(c.f.id):c.f[key]-a.f[key]);
           for(const r of rows)box.append(r.d)};
          b.setAttribute('aria-pressed',String(key==='id'));put(head,b)}
         put(box,head);
         for(const r of rows)put(box,r.d);
         if(rows.length<=6)for(const r of rows.slice(0,3))r.d.open=true;
         else{const r=rows.find(r=>r.f.changes>0)||rows[0];r.d.open=true}}
        function drops(){const box=$('drops');
         if(!D.drops.length){put(box,make('p','soft','Nothing was dropped.'));return}
         for(const r of D.drops.slice().sort((a,b)=>b.total-a.total)){
          let top=1;for(const x of r.over)if(x>top)top=x;
          const l=lane('',t=>sec(t)+': '+(value(r.over,t)||0)+' '+r.name,r.total+' '+r.name);
          const fill=even?'oklch(62% .13 55)':'hsl(25 60% 48%)';
          l.append(bars(r.over,20,fill,x=>x>0?Math.max(2,x/top*20):0));
          const n=put(make('div','small'),make('b','',count(r.total)),' '+r.name,make('span','soft',' — '+r.text));
          n.style.margin='6px 0 2px';put(box,n,l)}
         const a=axis();a.className='row wide';a.firstChild.remove();box.append(a)}

        """#
}
